int noHead;
